"""Making installers: freezing, staging and one module for each kind of package."""
