//! Nothing outlives the end of what it came from (docs/endings.md): each rule by itself, who waits for whom, what the one
//! who comes too late is told, and every ending raced with every creation.

mod held;
mod losers;
mod rights;
mod rules;
mod world;
