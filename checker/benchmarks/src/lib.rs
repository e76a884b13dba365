//! How fast the checker is, next to plain WGL and to the checkers that others publish as Rust crates.
//!
//! ```sh
//! cd checker/benchmarks && cargo run --release        # the table, in Markdown; about ten minutes
//! cargo run --release -- keys                         # only the rows whose names contain this word
//! cargo bench                                         # criterion, to see a change from one day to the next
//! ```

pub mod generate;
pub mod peers;
pub mod plain;
pub mod rows;
