//! `tailrace plugin ...`: from an idea to a running plugin.

mod languages;
mod project;
mod tool;
