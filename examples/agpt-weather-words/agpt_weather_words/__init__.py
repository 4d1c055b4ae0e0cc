"""Blocks about the weather. The server asks for BLOCKS; a block that is not listed is not there."""

from agpt_weather_words.describe import DescribeWeatherBlock
from agpt_weather_words.read import ReadWeatherBlock
from backend.sdk import Block

BLOCKS: list[type[Block]] = [DescribeWeatherBlock, ReadWeatherBlock]
