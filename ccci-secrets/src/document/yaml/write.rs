//! Text for new content.
use super::super::{Document, Edit, NewNode, NewScalar, NodeId, ParseError, Scalar, SetError};
use crate::path::TreePath;
pub(crate) fn rewrite_scalar(_d: &Document, _s: &Scalar, _n: &NewScalar<'_>) -> Vec<Edit> {
    unimplemented!()
}
pub(crate) fn append_metadata(_d: &Document, _b: &NewNode) -> Vec<Edit> {
    unimplemented!()
}
pub(crate) fn remove_metadata(_d: &Document) -> Vec<Edit> {
    unimplemented!()
}
pub(crate) fn set(_d: &Document, _p: &TreePath, _n: &NewNode) -> Result<Vec<Edit>, SetError> {
    unimplemented!()
}
pub(crate) fn expand_aliases(
    _d: &Document,
    _e: &dyn Fn(NodeId) -> bool,
) -> Result<Vec<Edit>, ParseError> {
    unimplemented!()
}
