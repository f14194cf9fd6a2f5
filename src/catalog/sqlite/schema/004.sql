-- The bytes of all variants together. Triggers keep the sum, so that a sweep need not add them up. A blob counts once for
-- each original that has it as a variant.

CREATE TABLE cache (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL
) STRICT;

INSERT INTO cache (id, bytes)
    SELECT 1, coalesce(sum(b.length), 0) FROM variants v JOIN blobs b ON b.id = v.blob;

CREATE TRIGGER variant_added AFTER INSERT ON variants BEGIN
    UPDATE cache SET bytes = bytes + (SELECT length FROM blobs WHERE id = NEW.blob);
END;

CREATE TRIGGER variant_dropped AFTER DELETE ON variants BEGIN
    UPDATE cache SET bytes = bytes - (SELECT length FROM blobs WHERE id = OLD.blob);
END;
