//! [`SoftDeleteConfig`]: when rows that are marked as deleted are worth a word.

use super::section::section;

section! {
    /// What is watched about rows that are marked as deleted and still there.
    pub struct SoftDeleteConfig {
        /// Whether they are counted; on by default.
        enable_monitoring: bool = true, with_enable_monitoring;
        /// Whether too many of them raise an alert; on by default.
        alert_on_high_deletion_ratio: bool = true, with_alert_on_high_deletion_ratio;
        /// Which share of a table's rows is too many, from 0 to 1; 0.25 by default.
        deletion_ratio_alert_threshold: f64 = 0.25, with_deletion_ratio_alert_threshold;
    }
}
