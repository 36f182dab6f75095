//! Decisions out of a string of bytes, so that whoever makes the bytes (proptest, a fuzzer, a seeded generator) makes the
//! decisions, and fewer bytes mean a smaller case. When the bytes run out, every answer is the smallest.

pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub fn new(entropy: &'a [u8]) -> Self {
        Self(entropy)
    }

    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        if n <= 256 { usize::from(self.byte()) % n } else { (self.u64() % n as u64) as usize }
    }

    /// True once in `n` times, never without bytes.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    pub fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes.fill_with(|| self.byte());
        u64::from_le_bytes(bytes)
    }

    /// Numbers at which encodings change their length, and any others.
    pub fn number(&mut self) -> u64 {
        match self.byte() % 8 {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => 127 + u64::from(self.byte() % 3),
            3 => 16_382 + u64::from(self.byte() % 4),
            4 => u64::MAX - u64::from(self.byte()),
            5 => 1 << (self.byte() % 64),
            _ => self.u64(),
        }
    }

    pub fn string(&mut self) -> String {
        match self.byte() % 10 {
            0 => String::new(),
            1 => "user.email".into(),
            2 => "http.method".into(),
            3 => "k".into(),
            4 => "GET /api/products".into(),
            5 => "schön".into(),
            6 => "日本語のテキスト".into(),
            7 => "x".repeat(120 + usize::from(self.byte() % 16)),
            8 => (0..self.byte() % 70).map(|_| char::from(b'a' + self.byte() % 26)).collect(),
            _ => (0..self.byte() % 6).map(|_| char::from_u32(u32::from(self.byte()) * 37).unwrap_or('?')).collect(),
        }
    }

    pub fn bytes(&mut self) -> Vec<u8> {
        (0..self.byte() % 20).map(|_| self.byte()).collect()
    }

    /// An id of `len` bytes, or none; all zero once in a while.
    pub fn id(&mut self, len: usize) -> Vec<u8> {
        match self.byte() % 8 {
            0 => Vec::new(),
            1 => vec![0; len],
            2 => vec![0xff; len],
            _ => (0..len).map(|_| self.byte()).collect(),
        }
    }

    /// Up to `max` things.
    pub fn many<T>(&mut self, max: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(max + 1);
        (0..count).map(|_| make(self)).collect()
    }

    pub fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| make(self))
    }
}

/// Bytes for a [`Source`] from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn entropy(&mut self, max: usize) -> Vec<u8> {
        let len = (self.next() % max as u64) as usize;
        (0..len).map(|_| self.next() as u8).collect()
    }
}
