//! The mapping as a tree of names, so that each name of a document is one step.

use std::collections::BTreeMap;

/// Index of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// The document itself.
    pub(super) const ROOT: Self = Self(0);
}

/// Index of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FieldIndex(pub(super) u32);

/// A step from an object to what one of its names means.
#[derive(Debug)]
struct Child {
    /// The name as documents write it; with dots when they do.
    key: Box<str>,
    node: NodeId,
    /// The object in which the name was last seen.
    seen_in: u64,
}

#[derive(Debug, Default)]
struct Node {
    path: Box<str>,
    /// What values here belong to.
    field: Option<FieldIndex>,
    children: Vec<Child>,
    /// Places in `children`. Names come from outside, so the order is by comparison, not by hash.
    by_key: BTreeMap<Box<str>, u32>,
}

/// What a name in an object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Seen for the first time in this object.
    Known(NodeId),
    /// It was seen in this object already.
    Again,
    /// The mapping does not know it.
    Unknown,
}

/// Names and fields. Nodes are only ever added at the end, so the tree can go back to a mark.
#[derive(Debug)]
pub(super) struct FieldTree {
    nodes: Vec<Node>,
    /// Objects and the keys that were added to them, in order, for going back.
    added: Vec<NodeId>,
}

/// A state of the tree to go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeMark {
    nodes: usize,
    added: usize,
}

/// Why a field cannot be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BelowValue(pub(super) FieldIndex);

impl FieldTree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            added: Vec::new(),
        }
    }

    /// The dotted path of `node`, empty for the document.
    pub(super) fn path(&self, node: NodeId) -> &str {
        &self.node(node).path
    }

    /// What values at `node` belong to.
    pub(super) fn field(&self, node: NodeId) -> Option<FieldIndex> {
        self.node(node).field
    }

    /// What `key` means in an object at `node`. `object` numbers the object; `cursor` is where
    /// the name before it was found: documents of one kind have their names in one order.
    pub(super) fn find(
        &mut self,
        node: NodeId,
        key: &str,
        object: u64,
        cursor: &mut usize,
    ) -> Found {
        let children = &self.node(node).children;
        let place = match children.get(*cursor) {
            Some(child) if &*child.key == key => *cursor,
            _ => match self.place(node, key) {
                Some(place) => place,
                None => return Found::Unknown,
            },
        };
        *cursor = place + 1;
        let child = &mut self.nodes[node.0 as usize].children[place];
        if child.seen_in == object {
            return Found::Again;
        }
        child.seen_in = object;
        Found::Known(child.node)
    }

    /// The node at `path` below `base`, if there is one.
    pub(super) fn walk(&self, base: NodeId, path: &str) -> Option<NodeId> {
        path.split('.').try_fold(base, |node, name| {
            let place = self.place(node, name)?;
            Some(self.node(node).children[place].node)
        })
    }

    /// Puts `field` at `path` below `base`; objects on the way are made.
    pub(super) fn add(
        &mut self,
        base: NodeId,
        path: &str,
        field: FieldIndex,
    ) -> Result<NodeId, BelowValue> {
        let mut node = base;
        for name in path.split('.') {
            if let Some(owner) = self.node(node).field {
                return Err(BelowValue(owner));
            }
            node = match self.place(node, name) {
                Some(place) => self.node(node).children[place].node,
                None => self.add_child(node, name),
            };
        }
        self.nodes[node.0 as usize].field = Some(field);
        Ok(node)
    }

    /// Puts a field of a mapping in its place, also below another field.
    pub(super) fn add_mapped(&mut self, path: &str, field: FieldIndex) {
        let mut node = NodeId::ROOT;
        for name in path.split('.') {
            node = match self.place(node, name) {
                Some(place) => self.node(node).children[place].node,
                None => self.add_child(node, name),
            };
        }
        self.nodes[node.0 as usize].field = Some(field);
    }

    /// Remembers that `key`, which has dots, means `target` in objects at `node`.
    pub(super) fn add_dotted(&mut self, node: NodeId, key: &str, target: NodeId) {
        self.link(node, key, target);
    }

    /// The state now.
    pub(super) fn mark(&self) -> TreeMark {
        TreeMark {
            nodes: self.nodes.len(),
            added: self.added.len(),
        }
    }

    /// Forgets everything that was added since `mark`.
    pub(super) fn go_back(&mut self, mark: TreeMark) {
        for parent in self.added.drain(mark.added..).rev() {
            let parent = &mut self.nodes[parent.0 as usize];
            let child = parent.children.pop().expect("each addition is noted once");
            parent.by_key.remove(&child.key);
        }
        self.nodes.truncate(mark.nodes);
    }

    /// Additions before this moment stay for ever.
    pub(super) fn settle(&mut self) {
        self.added.clear();
    }

    fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0 as usize]
    }

    fn place(&self, node: NodeId, key: &str) -> Option<usize> {
        self.node(node).by_key.get(key).map(|place| *place as usize)
    }

    fn add_child(&mut self, parent: NodeId, name: &str) -> NodeId {
        let parent_path = &self.node(parent).path;
        let path = match parent_path.is_empty() {
            true => name.into(),
            false => format!("{parent_path}.{name}").into(),
        };
        let id = u32::try_from(self.nodes.len()).expect("fields are limited");
        self.nodes.push(Node {
            path,
            ..Node::default()
        });
        self.link(parent, name, NodeId(id));
        NodeId(id)
    }

    fn link(&mut self, parent: NodeId, key: &str, node: NodeId) {
        let owner = &mut self.nodes[parent.0 as usize];
        let place = u32::try_from(owner.children.len()).expect("fields are limited");
        owner.by_key.insert(key.into(), place);
        owner.children.push(Child {
            key: key.into(),
            node,
            seen_in: 0,
        });
        self.added.push(parent);
    }
}
