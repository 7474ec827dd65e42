enum WireFormatsModule {}
