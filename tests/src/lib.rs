//! What end-to-end tests share: a collector on free ports, a backend that remembers, a generator that counts.
