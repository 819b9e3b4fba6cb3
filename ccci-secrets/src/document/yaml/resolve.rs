//! Which type a scalar has, and its decoded text.
use super::super::{Document, Resolved, Scalar, ScalarError};
pub(crate) fn resolve<'a>(
    _document: &'a Document,
    _scalar: &Scalar,
) -> Result<Resolved<'a>, ScalarError> {
    unimplemented!()
}
