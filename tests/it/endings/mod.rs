//! Nothing outlives the end of what it came from (docs/endings.md): each rule by itself, who waits for whom, what the one
//! who comes too late is told, and every ending raced with every creation.

mod circles;
mod docs;
mod held;
mod losers;

mod race;
mod rights;
mod rules;
mod world;
