//! Run directory in; one offline HTML file out.
//!
//! - [`run`]: what a run directory holds: the files and their shapes; [`lines`]: its line files, plain or packed.
//! - [`load()`]: reads one, whole or half-written; [`write()`] and
//!   [`write_loaded()`] also put the reports into it. Only these and [`lines`] touch
//!   the disk.
//! - [`Run::of_history`]: a history that was checked by itself, for [`html()`].
//! - [`sequence`]: message sequence diagrams of simulated runs, as SVG.
//! - [`html()`], [`text()`], [`junit()`], [`markdown()`]: the same run for a browser, a terminal, a CI system, a page
//!   that renders Markdown. [`svg()`]: the anomaly alone.
//! - `evidence`: what the nodes were at the time of an anomaly; `ledger`: what became of the items of a set or queue;
//!   `clock`: logs on the run's clock; `columns`: every operation, small enough for a page.
//!
//! The page is made of two halves: a view model that this crate computes (so that a million operations become
//! a small file), and a script in `assets/` that draws it.

mod checked;
mod clock;
mod columns;
mod evidence;
mod html;
mod junit;
mod ledger;
pub mod lines;
mod load;
mod markdown;
mod picture;
mod recover;
pub mod run;
pub mod sequence;
mod text;
mod told;
mod view;
mod words;
mod write;

pub use clock::TIME_ZERO;
pub use html::html;
pub use junit::{escape as escaped, junit};
pub use load::{LoadError, NodeLog, Run, history, leadership, load};
pub use markdown::markdown;
pub use picture::svg;
pub use text::text;
pub use view::Leadership;
pub use write::{write, write_loaded};
