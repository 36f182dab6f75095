//! End to end: the collector from outside, with real sockets, real plugins and real clients.

mod article;
mod chaos;
mod directory;
mod docs;
mod health;
mod ledger;
mod levels;
mod limits;
mod mad;
mod path;
mod python;
mod reload;
mod samplers;
mod standard;
mod why;
