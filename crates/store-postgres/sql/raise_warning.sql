-- One warning, to see whether it is heard.
DO $$ BEGIN RAISE WARNING 'onlyonce: to see whether warnings are heard'; END $$
