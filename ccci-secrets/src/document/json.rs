//! JSON.
use super::{
    Document, Edit, NewNode, NewScalar, ParseError, Resolved, Scalar, ScalarError, SetError,
};
use crate::path::TreePath;
use crate::secret::Secret;
pub(crate) fn parse(_bytes: Secret) -> Result<Document, ParseError> {
    unimplemented!()
}
pub(crate) fn resolve<'a>(_d: &'a Document, _s: &Scalar) -> Result<Resolved<'a>, ScalarError> {
    unimplemented!()
}
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
