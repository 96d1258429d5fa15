-- What was rewritten by the program because SQL alone cannot, once and for all: such as keys of names in one form (RFC 8265).
CREATE TABLE conversions (
    name TEXT PRIMARY KEY
);
