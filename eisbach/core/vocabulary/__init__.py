"""The words every other package uses: identities, quantities, money, reasons."""
