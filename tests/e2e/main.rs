//! The whole farm: the real binary, a real database, simulated phones in their own process, and (where a test says
//! so) the real adb server between them.

mod crash;
mod faults;
mod harness;
mod main_job;
mod materials;
mod scripts;
