-- A remembered yes is for a scope at a resource (RFC 8707). `scope` is what was allowed where no resource was named, which
-- is how what was remembered before counts; `resources` is a JSON object of the scopes at each resource that was.
ALTER TABLE consents ADD COLUMN resources TEXT NOT NULL DEFAULT '{}';
