"""An open problem's structured answer, and the papers that it may cite."""
