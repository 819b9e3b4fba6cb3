//! Secrets as files, in one transaction.
