mod struct_alone {
    #[derive(resilient_sea_orm::SoftDelete)]
    #[soft_delete]
    #[soft_delete(databse = "audit", crate = "a", crate = b)]
    pub struct Model {
        #[soft_delete(database = "audit", when)]
        pub deleted: bool,
        #[soft_delete]
        pub deleted_at: Option<i64>,
        #[sea_orm(ignore)]
        #[soft_delete = "now"]
        pub computed: i32,
    }
}

fn main() {}
