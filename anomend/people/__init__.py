"""What people's labels of single pictures say: rates of wrong pictures, corrected for the raters' errors."""
