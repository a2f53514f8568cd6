"""The peer of bench/warehouse.py: incidents from CSV to Parquet with PySpark, local[2].

Runs in an environment of its own. Arguments: CSV file, folder for Parquet. Reads the file with its header and types,
keeps the highest revision of each incident, counts by month, area and category, and writes both. Prints JSON; Spark's
start is left out.
"""

from __future__ import annotations

import json
import sys
import time

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as f


def main() -> None:
    """Run once and print how long it took."""
    source, target = sys.argv[1:]
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    start = time.perf_counter()
    rows = spark.read.option("header", "true").option("inferSchema", "true").csv(source)
    newest = Window.partitionBy("incident_id").orderBy(f.col("revision").desc())
    kept = rows.withColumn("place_in_line", f.row_number().over(newest)).where("place_in_line = 1")
    kept = kept.drop("place_in_line").cache()
    kept.write.mode("overwrite").parquet(f"{target}/incidents")
    counts = kept.groupBy(f.substring("occurred_local", 1, 7).alias("month"), "area", "category").count()
    counts.write.mode("overwrite").parquet(f"{target}/counts")
    seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps({"seconds": round(seconds, 1), "rows": kept.count()}) + "\n")
    spark.stop()


if __name__ == "__main__":
    main()
