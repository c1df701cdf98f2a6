mod text {
    #[derive(resilient_sea_orm::SoftDelete)]
    pub struct Model {
        #[soft_delete]
        pub state: Option<String>,
    }
}

mod always {
    #[derive(resilient_sea_orm::SoftDelete)]
    pub struct Model {
        #[soft_delete]
        pub deleted_at: chrono::DateTime<chrono::Utc>,
    }
}

fn main() {}
