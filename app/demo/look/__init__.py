"""The face of the demo's brand: a logo, a picture, a colour and a few words."""
