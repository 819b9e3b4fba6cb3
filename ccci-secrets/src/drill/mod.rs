//! The recovery drill: which key opens which file, tried and not believed.
//!
//! A sops file names its recipients by labels, and a label is a claim: age does not say for whom a data key was
//! wrapped. So a drill opens every file with one key alone, in memory, MAC and all. What came of it is a [`Record`];
//! records of several machines are [merged](Record::merge), and a [`Matrix`] says of every file and key whether what is
//! demanded is proved.
//!
//! Nothing here reads a file, a clock or the environment.

mod attempt;
mod html;
mod matrix;
mod policy;
mod record;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
mod text;

pub use self::attempt::{Taken, forbidden, take};
pub use self::matrix::{Cause, Cell, Column, Demand, Matrix, Row, State};
pub use self::policy::{DrillPolicy, DrillPolicyError};
pub use self::record::{Attempt, FileRecord, KeyRecord, Record, RecordError, Remark, Scope};
