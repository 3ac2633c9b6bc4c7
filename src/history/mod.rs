//! Floor 2: how tolls went over the sweeps of one host class and profile. Pure: it is given sweeps, and keeps two numbers
//! of each series and sweep, so that years of them fit into memory.

mod group;
mod story;

pub use group::{Acceptance, Group, GroupKey, Head, Track, better_is};
pub use story::{Band, Event, Level, Point, Story};
