"""What pages are made of: pictures and charts inside the page, colours, and a policy that lets nothing else in."""
