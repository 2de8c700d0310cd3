"""Django: sales into the database, exactly once each, and leads of several shops.

DUB_WEBHOOK_SECRET=whsec_... DJANGO_SECRET_KEY=... python manage.py migrate
DUB_WEBHOOK_SECRET=whsec_... DJANGO_SECRET_KEY=... gunicorn project.wsgi
"""
