//! `tailrace plugin ...`: from an idea to a running plugin.

mod componentize;
mod languages;
mod project;
mod tool;
