//! One document being read: what it says is collected here and counts only when it ends well.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use storage::catalog::Dynamic;
use storage::model::{Decimal, DynamicRules, Field, FieldType, Mapping};

use super::detect;
use super::error::{DocumentError, preview, shown_path};
use super::field::FieldState;
use super::tree::{BelowValue, FieldIndex, FieldTree, Found, NodeId, TreeMark};
use super::value::{Converted, Scalar, convert};
use super::whole::WholeValue;

/// Names that stand for something about the document.
const METADATA_FIELDS: [&str; 10] = [
    "_doc_count",
    "_field_names",
    "_id",
    "_ignored",
    "_index",
    "_nested_path",
    "_routing",
    "_seq_no",
    "_source",
    "_version",
];

/// What a topic says about fields that are not there yet.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) dynamic: Dynamic,
    pub(super) fields_max: usize,
    pub(super) depth_max: usize,
    /// Whether new text fields serve as whole texts, too.
    pub(super) whole_texts: bool,
    /// A path whose values are instants whatever they look like.
    pub(super) time_path: Option<Arc<str>>,
    /// What the mapping says about fields to come.
    pub(super) fields_to_come: DynamicRules,
    /// Whether values that do not fit are left out where a field does not say otherwise.
    pub(super) ignores_malformed: bool,
}

/// A value of the row being read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Staged {
    pub(super) field: FieldIndex,
    pub(super) value: StagedValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum StagedValue {
    Integer(i64),
    Decimal(Decimal),
    /// A part of [`RowState::text`].
    Text(Range<usize>),
}

/// What became of a value of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traced {
    /// It is the next staged value.
    Value,
    /// No column has it.
    Nothing,
    /// It was not looked into.
    Ignored,
    /// It is an object or an array, and its values follow.
    Composite,
}

/// What storing a row did to fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    AsBefore,
    /// An integer field has become decimal.
    Widened,
}

/// Where a value of the document belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Node(NodeId),
    /// The bytes of the new path from `start` to `end`, below `base`.
    New {
        base: NodeId,
        start: usize,
        end: usize,
    },
    /// It stays in the document and has no column.
    Nowhere,
}

/// A name in an object and the names before it.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Numbers the object.
    object: u64,
    /// Where the mapping had the last known name.
    cursor: usize,
    /// The names that the mapping did not know.
    unknown: BTreeSet<Box<str>>,
}

/// The fields of a topic and the row being read.
#[derive(Debug)]
pub(super) struct RowState {
    pub(super) tree: FieldTree,
    pub(super) fields: Vec<FieldState>,
    rules: Rules,
    /// Names that are only other names of fields.
    aliases: BTreeSet<Arc<str>>,
    /// Fields and subfields, which is what the limit counts.
    field_count: usize,
    staged: Vec<Staged>,
    /// Values of what was taken whole; the document's shape does not have them.
    derived: Vec<Staged>,
    trace: Vec<Traced>,
    /// Fields that a value of the document does not fit.
    ignored: BTreeSet<FieldIndex>,
    text: String,
    new_path: String,
    object_count: u64,
    error: Option<DocumentError>,
}

/// The fields before a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowMark {
    tree: TreeMark,
    fields: usize,
    field_count: usize,
}

impl RowState {
    pub(super) fn new(mapping: &Mapping, rules: Rules) -> Self {
        let mut state = Self {
            tree: FieldTree::new(),
            fields: Vec::new(),
            rules,
            aliases: mapping
                .aliases
                .keys()
                .map(|path| path.as_str().into())
                .collect(),
            field_count: 0,
            staged: Vec::new(),
            derived: Vec::new(),
            trace: Vec::new(),
            ignored: BTreeSet::new(),
            text: String::new(),
            new_path: String::new(),
            object_count: 0,
            error: None,
        };
        for (path, field) in &mapping.fields {
            let index = state.next_index();
            state.tree.add_mapped(path, index);
            state.push_field(path.as_str().into(), field.clone());
        }
        state.tree.settle();
        state
    }

    /// Starts a document.
    pub(super) fn begin(&mut self) -> RowMark {
        self.staged.clear();
        self.derived.clear();
        self.trace.clear();
        self.ignored.clear();
        self.text.clear();
        self.error = None;
        self.tree.settle();
        RowMark {
            tree: self.tree.mark(),
            fields: self.fields.len(),
            field_count: self.field_count,
        }
    }

    /// Forgets the document and the fields that it brought.
    pub(super) fn go_back(&mut self, mark: RowMark) {
        self.tree.go_back(mark.tree);
        self.fields.truncate(mark.fields);
        self.field_count = mark.field_count;
        self.staged.clear();
        self.derived.clear();
    }

    /// Why reading stopped, if it was not the JSON itself.
    pub(super) fn take_error(&mut self) -> Option<DocumentError> {
        self.error.take()
    }

    pub(super) fn fail(&mut self, error: DocumentError) -> Rejected {
        self.error = Some(error);
        Rejected
    }

    /// The values of the document, in its order.
    pub(super) fn staged(&self) -> &[Staged] {
        &self.staged
    }

    /// The fields that the document has a value for which does not fit, by path.
    pub(super) fn take_ignored(&mut self) -> Vec<Arc<str>> {
        let ignored = std::mem::take(&mut self.ignored).into_iter();
        let path = |index: FieldIndex| Arc::clone(&self.fields[index.0 as usize].path);
        let mut paths: Vec<_> = ignored.map(path).collect();
        paths.sort_unstable();
        paths
    }

    /// Where a document's values are staged when they are not read by this.
    pub(super) fn staged_mut(&mut self) -> &mut Vec<Staged> {
        &mut self.staged
    }

    /// What became of each value, in order of the document.
    pub(super) fn trace(&self) -> &[Traced] {
        &self.trace
    }

    /// What staged texts are ranges of.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// A value begins that is no scalar, or that nobody looks into.
    pub(super) fn note(&mut self, traced: Traced) {
        self.trace.push(traced);
    }

    /// Adds the staged values to the columns as `row`. Texts are ranges of `text`, or without one
    /// of [`RowState::text`].
    pub(super) fn store(&mut self, row: u32, text: Option<&[u8]>) -> Stored {
        let mut stored = Stored::AsBefore;
        for staged in self.staged.drain(..).chain(self.derived.drain(..)) {
            let field = &mut self.fields[staged.field.0 as usize];
            match staged.value {
                StagedValue::Integer(value) => field.column.push_integer(row, value),
                StagedValue::Decimal(value) => {
                    if field.definition.field_type == FieldType::Long {
                        field.widen();
                        stored = Stored::Widened;
                    }
                    field.column.push_decimal(row, value);
                }
                StagedValue::Text(range) => {
                    let text = text.unwrap_or(self.text.as_bytes());
                    field.column.push_text(row, &text[range]);
                }
            }
        }
        stored
    }

    /// The field at `path`.
    pub(super) fn field_at(&self, path: &str) -> Option<FieldIndex> {
        self.tree.field(self.tree.walk(NodeId::ROOT, path)?)
    }

    /// The names of an object that starts now.
    pub(super) fn names(&mut self) -> Names {
        self.object_count += 1;
        Names {
            object: self.object_count,
            ..Names::default()
        }
    }

    /// The field at `target`, if it takes its values whole.
    pub(super) fn whole_field(&self, target: Target) -> Option<FieldIndex> {
        let Target::Node(node) = target else {
            return None;
        };
        let index = self.tree.field(node)?;
        self.fields[index.0 as usize].whole.map(|_| index)
    }

    /// Takes a value as a whole.
    pub(super) fn take_whole(
        &mut self,
        index: FieldIndex,
        value: &serde_json::Value,
    ) -> Result<(), Rejected> {
        let field = &self.fields[index.0 as usize];
        let whole = field.whole.expect("the field was asked");
        let values = match whole.values(value, field.format.as_ref()) {
            Ok(values) => values,
            Err(_) if field.ignores_malformed => {
                self.ignored.insert(index);
                Vec::new()
            }
            Err(cause) => {
                let error = value_error(field, preview(&value.to_string()), cause);
                return Err(self.fail(error));
            }
        };
        for value in values {
            let value = match value {
                WholeValue::Integer(number) => StagedValue::Integer(number),
                WholeValue::Text(text) => self.stage_text(&text),
            };
            self.derived.push(Staged {
                field: index,
                value,
            });
        }
        Ok(())
    }

    /// Where the members of an object at `target` belong. One may stand where a field has values
    /// as long as it says nothing: `{}` and `{"x":null}` are not seen when the field is new either.
    pub(super) fn enter_object(&mut self, target: Target) -> Target {
        let Some(node) = self.node_of(target) else {
            return target;
        };
        match self.tree.field(node) {
            Some(field) if self.fields[field.0 as usize].ignores_malformed => {
                self.ignored.insert(field);
                Target::Nowhere
            }
            Some(_) | None => Target::Node(node),
        }
    }

    /// Where the value behind `key` in an object at `parent` belongs.
    pub(super) fn key(
        &mut self,
        parent: Target,
        names: &mut Names,
        key: &str,
    ) -> Result<Target, Rejected> {
        let again = |state: &mut Self| {
            Err(state.fail(DocumentError::DuplicateKey {
                key: shown_path(key),
            }))
        };
        if !names.unknown.is_empty() && names.unknown.contains(key) {
            return again(self);
        }
        if let Target::Node(node) = parent {
            match self.tree.find(node, key, names.object, &mut names.cursor) {
                Found::Known(child) => return Ok(Target::Node(child)),
                Found::Again => return again(self),
                Found::Unknown => {}
            }
        }
        names.unknown.insert(key.into());
        let (base, start, kept) = match parent {
            Target::Nowhere => return Ok(Target::Nowhere),
            Target::Node(NodeId::ROOT) => (NodeId::ROOT, 0, 0),
            // Objects around this one may still need what is there: an array whose first value
            // made a field is known inside, and new for the values behind.
            Target::Node(node) => (node, self.new_path.len(), self.new_path.len()),
            Target::New { base, start, end } => (base, start, end),
        };
        if let Target::Node(node) = parent
            && key.contains('.')
            && let Some(known) = self.tree.walk(node, key)
        {
            self.tree.add_dotted(node, key, known);
            return Ok(Target::Node(known));
        }
        self.check_new(parent, key)?;
        if self.rules.dynamic == Dynamic::False {
            return Ok(Target::Nowhere);
        }
        self.new_path.truncate(kept);
        if kept > start {
            self.new_path.push('.');
        }
        self.new_path.push_str(key);
        Ok(Target::New {
            base,
            start,
            end: self.new_path.len(),
        })
    }

    /// Takes a value that is no object, array or null.
    pub(super) fn scalar(&mut self, target: Target, scalar: Scalar<'_>) -> Result<(), Rejected> {
        let staged = self.staged.len();
        self.take_scalar(target, scalar)?;
        self.note_scalar(staged);
        Ok(())
    }

    /// Notes a scalar before which so many values were staged.
    fn note_scalar(&mut self, staged: usize) {
        self.note(match self.staged.len() > staged {
            true => Traced::Value,
            false => Traced::Nothing,
        });
    }

    fn take_scalar(&mut self, target: Target, scalar: Scalar<'_>) -> Result<(), Rejected> {
        let node = match (self.node_of(target), target) {
            (Some(NodeId::ROOT), _) => return Err(self.fail(DocumentError::NotObject)),
            (Some(node), _) => node,
            (None, Target::New { base, start, end }) => {
                match self.create(base, start..end, scalar)? {
                    Some(node) => node,
                    None => return Ok(()),
                }
            }
            (None, Target::Node(_) | Target::Nowhere) => return Ok(()),
        };
        let Some(field) = self.tree.field(node) else {
            let path = shown_path(self.tree.path(node));
            return Err(self.fail(DocumentError::NotAnObject { path }));
        };
        self.stage(field, scalar)
    }

    /// Takes a null.
    pub(super) fn null(&mut self, target: Target) -> Result<(), Rejected> {
        let staged = self.staged.len();
        self.take_null(target)?;
        self.note_scalar(staged);
        Ok(())
    }

    fn take_null(&mut self, target: Target) -> Result<(), Rejected> {
        match self.node_of(target) {
            Some(NodeId::ROOT) => return Err(self.fail(DocumentError::NotObject)),
            Some(node) => {
                let Some(index) = self.tree.field(node) else {
                    return Ok(());
                };
                let Some(value) = self.fields[index.0 as usize].null_value.clone() else {
                    return Ok(());
                };
                if let Some(scalar) = scalar_of(&value) {
                    return self.stage(index, scalar);
                }
            }
            None => {}
        }
        Ok(())
    }

    fn node_of(&self, target: Target) -> Option<NodeId> {
        match target {
            Target::Node(node) => Some(node),
            Target::New { base, start, end } => self.tree.walk(base, &self.new_path[start..end]),
            Target::Nowhere => None,
        }
    }

    /// Whether a name that the mapping does not know may stand in the document.
    fn check_new(&mut self, parent: Target, key: &str) -> Result<(), Rejected> {
        if !self.aliases.is_empty() {
            let above = match parent {
                Target::Node(node) => self.tree.path(node),
                Target::New { start, end, .. } => &self.new_path[start..end],
                Target::Nowhere => "",
            };
            let path = match above {
                "" => key.to_owned(),
                above => format!("{above}.{key}"),
            };
            if self.aliases.contains(path.as_str()) {
                return Err(self.fail(DocumentError::Alias { path }));
            }
        }
        if self.rules.dynamic == Dynamic::Strict {
            let path = match parent {
                Target::Node(NodeId::ROOT) | Target::Nowhere => "_doc".into(),
                Target::Node(node) => shown_path(self.tree.path(node)),
                Target::New { start, end, .. } => shown_path(&self.new_path[start..end]),
            };
            return Err(self.fail(DocumentError::Strict {
                rule: "strict",
                key: shown_path(key),
                parent: path,
            }));
        }
        if parent == Target::Node(NodeId::ROOT) && METADATA_FIELDS.contains(&key) {
            return Err(self.fail(DocumentError::MetadataField { key: key.into() }));
        }
        let problem = if key.is_empty() {
            "cannot be an empty string"
        } else if key.bytes().all(|byte| byte == b'.') {
            "cannot contain only the character [.]"
        } else if key.split('.').any(|part| part.trim().is_empty()) {
            "starting or ending with a [.] makes object resolution ambiguous"
        } else {
            return Ok(());
        };
        Err(self.fail(DocumentError::FieldName {
            key: shown_path(key),
            problem,
        }))
    }

    /// Makes a field for a first value; `None` when it stays in the document.
    fn create(
        &mut self,
        base: NodeId,
        place: Range<usize>,
        scalar: Scalar<'_>,
    ) -> Result<Option<NodeId>, Rejected> {
        let below = &self.new_path[place.clone()];
        let path: Arc<str> = match self.tree.path(base) {
            "" => below.into(),
            parent => format!("{parent}.{below}").into(),
        };
        if path.split('.').count() > self.rules.depth_max {
            let max = self.rules.depth_max;
            return Err(self.fail(DocumentError::Depth {
                max,
                path: shown_path(&path),
            }));
        }
        let is_time = self.rules.time_path.as_ref() == Some(&path);
        let is_allowed = match self.rules.dynamic {
            Dynamic::True | Dynamic::False | Dynamic::Strict => true,
            Dynamic::FalseAllowTemplates | Dynamic::StrictAllowTemplates => {
                is_time || detect::of_template(&path, scalar, &self.rules).is_some()
            }
        };
        if !is_allowed {
            return match self.rules.dynamic {
                Dynamic::StrictAllowTemplates => {
                    let (parent, key) = path.rsplit_once('.').unwrap_or(("_doc", &path));
                    Err(self.fail(DocumentError::Strict {
                        rule: "strict_allow_templates",
                        key: shown_path(key),
                        parent: shown_path(parent),
                    }))
                }
                Dynamic::FalseAllowTemplates | Dynamic::True | Dynamic::False | Dynamic::Strict => {
                    Ok(None)
                }
            };
        }
        let field = detect::field_for(&path, scalar, is_time, &self.rules);
        if self.field_count + 1 + field.subfields.len() > self.rules.fields_max {
            let max = self.rules.fields_max;
            return Err(self.fail(DocumentError::FieldCount { max }));
        }
        let index = self.next_index();
        match self.tree.add(base, &self.new_path[place], index) {
            Ok(node) => {
                self.push_field(path, field);
                self.fields[index.0 as usize].is_changed = true;
                Ok(Some(node))
            }
            Err(BelowValue(owner)) => {
                let owner = &self.fields[owner.0 as usize];
                let error = if self.tree.field(base).is_some() {
                    value_error(owner, "{...}".into(), "found an object".into())
                } else {
                    DocumentError::BelowValue {
                        path: shown_path(&path),
                        parent: shown_path(&owner.path),
                        field_type: owner.definition.field_type,
                    }
                };
                Err(self.fail(error))
            }
        }
    }

    fn stage(&mut self, index: FieldIndex, scalar: Scalar<'_>) -> Result<(), Rejected> {
        let field = &self.fields[index.0 as usize];
        let value = match convert(field, scalar) {
            Ok(Converted::Integer(value)) => StagedValue::Integer(value),
            Ok(Converted::Decimal(value)) => StagedValue::Decimal(value),
            Ok(Converted::Text(text)) => self.stage_text(text),
            Ok(Converted::OwnedText(text)) => self.stage_text(&text),
            Ok(Converted::Nothing) => {
                if field.ignore_above.is_some() {
                    self.ignored.insert(index);
                }
                return Ok(());
            }
            Err(_) if field.ignores_malformed => {
                self.ignored.insert(index);
                return Ok(());
            }
            Err(cause) => {
                let error = value_error(field, preview(&scalar.text()), cause);
                return Err(self.fail(error));
            }
        };
        self.staged.push(Staged {
            field: index,
            value,
        });
        Ok(())
    }

    fn stage_text(&mut self, text: &str) -> StagedValue {
        let start = self.text.len();
        self.text.push_str(text);
        StagedValue::Text(start..self.text.len())
    }

    fn next_index(&self) -> FieldIndex {
        FieldIndex(u32::try_from(self.fields.len()).expect("fields are limited"))
    }

    fn push_field(&mut self, path: Arc<str>, definition: Field) {
        self.field_count += 1 + definition.subfields.len();
        let field = FieldState::new(path, definition, self.rules.ignores_malformed);
        self.fields.push(field);
    }
}

/// The document is rejected; why is in the state.
#[derive(Debug)]
pub(super) struct Rejected;

fn value_error(field: &FieldState, preview: String, cause: String) -> DocumentError {
    DocumentError::Value {
        path: shown_path(&field.path),
        field_type: field.definition.field_type,
        preview,
        cause,
    }
}

fn scalar_of(value: &serde_json::Value) -> Option<Scalar<'_>> {
    match value {
        serde_json::Value::Bool(value) => Some(Scalar::Bool(*value)),
        serde_json::Value::String(text) => Some(Scalar::Text(text)),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(Scalar::Integer)
            .or_else(|| number.as_u64().map(Scalar::Unsigned))
            .or_else(|| number.as_f64().map(Scalar::Float)),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            None
        }
    }
}
