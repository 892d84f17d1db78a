// Nothing to call: settings.c says what linking it does.
