//! The ways of breaking the constraints.

use resilient_sea_orm::{ConstraintKind, ResilientConnection};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter,
    Set, sea_query::Expr,
};

use super::{
    entities::{crew, sailor},
    making::Names,
};

pub struct Break {
    pub name: &'static str,
    pub kind: ConstraintKind,
    pub table: &'static str,
    pub columns: &'static [&'static str],
    pub code: &'static str,
    pub message: &'static str,
    pub constraint: fn(&Names) -> Option<&'static str>,
}

const CREW: Break = Break {
    name: "",
    kind: ConstraintKind::Unique,
    table: "crew",
    columns: &["id"],
    code: "crew_taken",
    message: "id of crew is given out once",
    constraint: |names| names.crew,
};

const EMAIL: Break = Break {
    name: "",
    kind: ConstraintKind::Unique,
    table: "sailor",
    columns: &["email"],
    code: "email_taken",
    message: "that address has signed on",
    constraint: |names| names.email,
};

const BERTH: Break = Break {
    columns: &["ship", "berth"],
    code: "berth_taken",
    message: "that berth is taken",
    constraint: |names| names.berth,
    ..EMAIL
};

const AGE: Break = Break {
    kind: ConstraintKind::Check,
    columns: &["age"],
    code: "too_young",
    message: "too young to sail",
    constraint: |names| names.age,
    ..EMAIL
};

const NICK: Break = Break {
    kind: ConstraintKind::NotNull,
    columns: &["nick"],
    code: "nick_required",
    message: "every sailor has a nickname",
    constraint: |_| None,
    ..EMAIL
};

const NO_CREW: Break = Break {
    kind: ConstraintKind::ForeignKey,
    columns: &["crew_id"],
    code: "no_such_crew",
    message: "no such crew",
    constraint: |names| names.crew_id,
    ..EMAIL
};

const IN_USE: Break = Break {
    kind: ConstraintKind::Restrict,
    code: "crew_in_use",
    message: "the crew still has sailors",
    ..NO_CREW
};

pub const BREAKS: &[Break] = &[
    Break {
        name: "insert, primary key",
        ..CREW
    },
    Break {
        name: "insert, unique",
        ..EMAIL
    },
    Break {
        name: "insert_many, composite",
        ..BERTH
    },
    Break {
        name: "update, unique",
        ..EMAIL
    },
    Break {
        name: "save, composite",
        ..BERTH
    },
    Break {
        name: "insert, check",
        ..AGE
    },
    Break {
        name: "update_many, check",
        ..AGE
    },
    Break {
        name: "update_many, not null",
        ..NICK
    },
    Break {
        name: "insert, not null",
        ..NICK
    },
    Break {
        name: "insert, foreign key",
        ..NO_CREW
    },
    Break {
        name: "update, foreign key",
        ..NO_CREW
    },
    Break {
        name: "insert_many, foreign key",
        ..NO_CREW
    },
    Break {
        name: "delete, restrict",
        ..IN_USE
    },
    Break {
        name: "delete_many, restrict",
        ..IN_USE
    },
    Break {
        name: "update, restrict",
        ..IN_USE
    },
    Break {
        name: "nested save, unique",
        ..EMAIL
    },
    Break {
        name: "nested save, check",
        ..AGE
    },
    Break {
        name: "raw, unique",
        ..EMAIL
    },
];

/// Crew 1 with sailor 1, and crew 2, which has nobody.
pub async fn fill(db: &ResilientConnection) -> Result<(), DbErr> {
    for id in [1, 2] {
        crew(id).insert(db).await?;
    }
    sailor(1).insert(db).await?;
    sailor(2).insert(db).await?;
    Ok(())
}

fn crew(id: i32) -> crew::ActiveModel {
    crew::ActiveModel {
        id: Set(id),
        name: Set(format!("crew {id}")),
    }
}

/// One that breaks nothing, if the number is new.
pub fn sailor(number: i32) -> sailor::ActiveModel {
    sailor::ActiveModel {
        email: Set(format!("{number}@ship")),
        ship: Set(1),
        berth: Set(number),
        age: Set(20),
        nick: Set(format!("nick {number}")),
        crew_id: Set(1),
        ..Default::default()
    }
}

async fn first(db: &ResilientConnection) -> Result<sailor::ActiveModel, DbErr> {
    let found = sailor::Entity::find()
        .filter(sailor::Column::Email.eq("1@ship"))
        .one(db)
        .await?;
    let found = found.ok_or_else(|| DbErr::RecordNotFound("sailor 1".to_owned()))?;
    Ok(found.into())
}

impl Break {
    /// Does what must fail.
    pub async fn run(&self, db: &ResilientConnection) -> Result<(), DbErr> {
        let mut fresh = sailor(3);
        match self.name {
            "insert, primary key" => {
                crew(1).insert(db).await?;
            }
            "insert, unique" => {
                fresh.email = Set("1@ship".to_owned());
                fresh.insert(db).await?;
            }
            "insert_many, composite" => {
                let mut second = sailor(4);
                second.berth = Set(3);
                let both = sailor::Entity::insert_many([fresh, second]);
                both.exec(db).await?;
            }
            "update, unique" => {
                let mut sailor = first(db).await?;
                sailor.email = Set("2@ship".to_owned());
                sailor.update(db).await?;
            }
            "save, composite" => {
                fresh.berth = Set(1);
                fresh.save(db).await?;
            }
            "insert, check" => {
                fresh.age = Set(15);
                fresh.insert(db).await?;
            }
            "update_many, check" => {
                let all = sailor::Entity::update_many();
                let all = all.col_expr(sailor::Column::Age, Expr::col(sailor::Column::Age).sub(10));
                all.exec(db).await?;
            }
            "update_many, not null" => {
                let none = Expr::value(None::<String>);
                let all = sailor::Entity::update_many().col_expr(sailor::Column::Nick, none);
                all.exec(db).await?;
            }
            "insert, not null" => {
                let sql = "INSERT INTO sailor (email, ship, berth, age, nick, crew_id) \
                           VALUES ('3@ship', 1, 3, 20, NULL, 1)";
                db.execute_unprepared(sql).await?;
            }
            "insert, foreign key" => {
                fresh.crew_id = Set(9);
                fresh.insert(db).await?;
            }
            "update, foreign key" => {
                let mut sailor = first(db).await?;
                sailor.crew_id = Set(9);
                sailor.update(db).await?;
            }
            "insert_many, foreign key" => {
                let mut second = sailor(4);
                second.crew_id = Set(9);
                sailor::Entity::insert_many([fresh, second])
                    .exec(db)
                    .await?;
            }
            "delete, restrict" => {
                crew(1).delete(db).await?;
            }
            "delete_many, restrict" => {
                crew::Entity::delete_many().exec(db).await?;
            }
            "update, restrict" => {
                let all = crew::Entity::update_many().filter(crew::Column::Id.eq(1));
                let all = all.col_expr(crew::Column::Id, Expr::value(7));
                all.exec(db).await?;
            }
            "nested save, unique" => {
                let crew = crew::ActiveModel::builder().set_id(5).set_name("nested");
                let one = sailor::ActiveModel::builder()
                    .set_email("1@ship")
                    .set_ship(2)
                    .set_berth(1)
                    .set_age(20)
                    .set_nick("n");
                crew.add_sailor(one).insert(db).await?;
            }
            "nested save, check" => {
                let crew = crew::ActiveModel::builder().set_id(5).set_name("nested");
                let one = sailor::ActiveModel::builder()
                    .set_email("9@ship")
                    .set_ship(2)
                    .set_berth(1)
                    .set_age(10)
                    .set_nick("n");
                crew.add_sailor(one).insert(db).await?;
            }
            "raw, unique" => {
                let sql = "INSERT INTO sailor (email, ship, berth, age, nick, crew_id) \
                           SELECT email, 7, 7, age, nick, crew_id FROM sailor WHERE berth = 1";
                db.execute_unprepared(sql).await?;
            }
            other => return Err(DbErr::Custom(format!("no such break: {other}"))),
        }
        Ok(())
    }
}
