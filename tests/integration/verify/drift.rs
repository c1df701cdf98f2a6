//! Both ways of comparing.
