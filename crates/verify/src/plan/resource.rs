//! Something that has a path of its own.

use super::Template;

/// Something that is read (GET), replaced (PUT) and removed (DELETE) by its path.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its path; with a fresh value in it, so that each check has one of its own.
    pub path: Template,
    /// A JSON document that stands for it as a whole.
    pub json: Template,
    /// Another one.
    pub changed: Template,
    /// The first without one of its members, still valid: what is left out is to be gone after a PUT.
    pub part: Option<Template>,
    /// Whether it can be removed.
    pub removable: bool,
}
