//! `hansard-replay`: brings recorded sessions back for review.
//!
//! The command line is declared in `cli`, each verb is a file in `cmd`, and every way out goes through `report`.
//! A library only so that tests and fuzz targets reach the parts: the program never writes to a store and never
//! needs a recorder.

pub mod audit;
pub mod cache;
pub mod catalog;
pub mod cli;
pub mod cmd;
pub mod completing;
pub mod config;
pub mod context;
pub mod desk;
pub mod evidence;
pub mod follow;
pub mod forms;
pub mod forward;
pub mod index;
pub mod kept;
pub mod known;
pub mod play;
pub mod recording;
pub mod report;
pub mod screen;
pub mod search;
pub mod story;
pub mod timeline;
pub mod viewing;
pub mod wall;

pub use hansard_sinks::parallel;
