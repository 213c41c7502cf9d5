"""What the rules that come with the server are called, in Chinese and English. Rules of one's own are shown by id."""

from collections.abc import Mapping

RULES: Mapping[str, tuple[str, str]] = {
    "streetlight.dark": ("应亮未亮", "Dark lamp"),
    "streetlight.day_burner": ("白天亮灯", "Day burner"),
    "streetlight.cycling": ("反复亮灭", "Cycling lamp"),
    "streetlight.power_low": ("功率偏低", "Lamp power low"),
    "streetlight.power_high": ("功率偏高", "Lamp power high"),
    "streetlight.not_obeying": ("不执行命令", "Command not obeyed"),
    "streetlight.no_data": ("路灯无数据", "Lamp silent"),
    "waterlogging.depth": ("积水深度", "Water depth"),
    "waterlogging.rise": ("水位快涨", "Water rising fast"),
    "waterlogging.battery": ("水位计电量低", "Flood sensor battery low"),
    "waterlogging.no_data": ("水位计无数据", "Flood sensor silent"),
    "gas.methane": ("甲烷超限", "Methane"),
    "gas.h2s": ("硫化氢超限", "Hydrogen sulfide"),
    "gas.co": ("一氧化碳超限", "Carbon monoxide"),
    "gas.oxygen_low": ("氧气过低", "Oxygen low"),
    "gas.oxygen_high": ("氧气过高", "Oxygen high"),
    "gas.sensor_suspect": ("燃气探头异常", "Gas sensor suspect"),
    "gas.battery": ("燃气探测器电量低", "Gas detector battery low"),
    "gas.no_data": ("燃气探测器无数据", "Gas detector silent"),
    "route.deviation": ("偏离路线", "Left the route"),
    "route.missed": ("路段漏作业", "Missed road"),
    "work.overspeed": ("超速作业", "Too fast at work"),
    "work.idle": ("作业中怠工", "Idle at work"),
    "work.out_of_window": ("时段外作业", "Work out of hours"),
    "work.short_duration": ("作业时长不足", "Work too short"),
    "work.short_passes": ("作业遍数不足", "Too few passes"),
    "work.no_show": ("未到岗", "Never showed up"),
    "vehicle.illegal_stop": ("违规停车", "Illegal stop"),
    "vehicle.illegal_dump": ("违规倾倒", "Illegal dump"),
    "vehicle.sensor_suspect": ("车载信号异常", "Vehicle signals suspect"),
    "vehicle.offline": ("车辆离线", "Vehicle offline"),
    "vehicle.datum_suspect": ("坐标系疑似不符", "Coordinates look shifted"),
    "case.overdue": ("案件超期", "Case overdue"),
    "ingest.behind": ("处理落后", "Ingest behind"),
    "server.clock": ("服务器时钟异常", "Server clock wrong"),
    "server.failing": ("服务器部件故障", "Server part failing"),
}

WORDS: Mapping[str, tuple[str, str]] = {f"rule {rule}": pair for rule, pair in RULES.items()}
"""As the pages look them up."""
