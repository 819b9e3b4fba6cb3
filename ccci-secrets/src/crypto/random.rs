//! Random bytes from the system, drawn in pools: one system call for many nonces.

use zeroize::Zeroizing;

/// The system has no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator is not available")]
pub struct RandomError;

/// Fills a buffer.
pub(crate) fn fill(buffer: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(buffer).map_err(|_| RandomError)
}

/// A random name for a temporary file.
pub(crate) fn random_name() -> Result<String, RandomError> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}

/// Hands out nonces from a buffer of random bytes. A byte is handed out once.
pub(crate) struct RandomPool {
    buffer: Zeroizing<Vec<u8>>,
    used: usize,
}

const POOL_LEN: usize = 4096;

impl RandomPool {
    pub(crate) fn new() -> Self {
        Self {
            buffer: Zeroizing::new(Vec::new()),
            used: 0,
        }
    }

    /// `N` fresh random bytes; `N` is far below the size of the pool.
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], RandomError> {
        if self.buffer.len().saturating_sub(self.used) < N {
            self.refill()?;
        }
        let bytes = self
            .buffer
            .get(self.used..self.used + N)
            .and_then(|bytes| bytes.try_into().ok());
        self.used += N;
        bytes.ok_or(RandomError)
    }

    fn refill(&mut self) -> Result<(), RandomError> {
        self.buffer.resize(POOL_LEN, 0);
        self.used = 0;
        fill(&mut self.buffer)
    }
}

impl std::fmt::Debug for RandomPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RandomPool([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_bytes_are_handed_out_twice() {
        let mut pool = RandomPool::new();
        let nonces: BTreeSet<[u8; 32]> = (0..1000)
            .map(|_| pool.take().expect("system has randomness"))
            .collect();
        assert_eq!(nonces.len(), 1000);
    }
}
