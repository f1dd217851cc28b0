"""One store for SQLite and PostgreSQL: one schema, SQLAlchemy Core, Alembic migrations."""
