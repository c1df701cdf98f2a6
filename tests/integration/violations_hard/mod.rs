//! Violations where it is hard to say what was violated. The answer is right or it is left out;
//! it is never a wrong one.

mod after_ddl;
mod blocked;
mod cascades;
mod counted;
mod deferred;
mod hostile;
mod indexes;
mod lab;
mod languages;
mod raised;
mod rights;
mod schemas;
mod sqlite_caught;
mod sqlite_cut;
mod sqlite_keys;
