//! Runs and nights in a browser, from this machine alone unless told otherwise.
//!
//! - [`server`]: connections, and which page a request is for. Read only: it answers GET and HEAD.
//! - [`query`]: what a request asks for: decoded once, and never trusted.
//! - [`paths`]: from there to files. **Nothing outside the directory that is served can be reached**: neither by `..`
//!   nor by an absolute path, encoded or not, nor through a link.
//! - [`runs`]: what there is, as rows. [`index`], [`trend`], [`versus`]: the pages.
//! - [`archive`]: a run as a tar file, while it is read.

mod archive;
mod index;
mod paths;
mod query;
mod runs;
pub(crate) mod server;
mod trend;
mod versus;
