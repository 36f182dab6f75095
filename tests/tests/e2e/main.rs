//! End to end: the collector from outside, with real sockets, real plugins and real clients.

mod levels;
mod path;
