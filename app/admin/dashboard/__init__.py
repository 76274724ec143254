"""The dashboard's screens: a module and a template each, in the frame that all of them share."""
