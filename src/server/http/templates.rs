//! Index templates.

use super::Method;
use super::edge::Edge;
use super::indices::acknowledged;
use super::reply::Reply;
use super::request::Request;
use crate::db::templates;
use crate::elastic::render_templates;
use crate::error::Result;

/// `/_index_template`
pub(super) fn list(edge: &Edge) -> Result<Reply> {
    let catalog = edge.db.catalog();
    Ok(Reply::ok(render_templates("*", &templates(&catalog))?))
}

/// `/_index_template/{name}`
pub(super) fn template(edge: &Edge, request: &Request, name: &str) -> Result<Reply> {
    let catalog = edge.db.catalog();
    match request.method {
        Method::Get => Ok(Reply::ok(render_templates(name, &templates(&catalog))?)),
        Method::Head => Ok(match render_templates(name, &templates(&catalog)) {
            Ok(_) => Reply::empty(200),
            Err(_) => Reply::empty(404),
        }),
        Method::Put | Method::Post => {
            edge.db.put_template(name, &request.body)?;
            Ok(acknowledged())
        }
        Method::Delete => {
            edge.db.delete_template(name)?;
            Ok(acknowledged())
        }
    }
}
