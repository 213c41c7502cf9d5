"""What the fields of requests are called: in the words of the console's forms where those have them."""

from collections.abc import Mapping

LABELS: Mapping[str, tuple[str, str]] = {
    "action": ("操作", "Action"),
    "alert": ("告警", "Alert"),
    "amount": ("时长", "Amount"),
    "args": ("参数", "Arguments"),
    "assigned_to": ("处理人", "Given to"),
    "by": ("处置人", "Your name"),
    "category": ("类别", "Category"),
    "claim": ("自助领取", "Claim"),
    "clock": ("计时方式", "Clock"),
    "crs": ("坐标系", "Datum"),
    "cursor": ("页码标记", "Cursor"),
    "date": ("日期", "Date"),
    "device": ("设备", "Device"),
    "district": ("辖区", "District"),
    "enabled": ("启用", "Enabled"),
    "ends_at": ("结束", "Until"),
    "everywhere": ("在所有设备上退出", "Sign out everywhere"),
    "expires_at": ("到期", "Expires"),
    "expires_min": ("有效期", "Valid for"),
    "from": ("开始", "From"),
    "id": ("编号", "Id"),
    "ids": ("所选告警", "Alerts chosen"),
    "kind": ("类型", "Kind"),
    "lat": ("纬度", "Latitude"),
    "limit": ("条数", "Limit"),
    "location": ("位置", "Position"),
    "lon": ("经度", "Longitude"),
    "mode": ("登记方式", "Mode"),
    "name": ("名称", "Name"),
    "new": ("新密码", "New password"),
    "note": ("备注", "Note"),
    "old": ("当前密码", "Present password"),
    "owner": ("权属单位", "Owner"),
    "password": ("密码", "Password"),
    "place": ("地点", "Place"),
    "profile": ("设备档案", "Profile"),
    "reason": ("原因", "Reason"),
    "reset_password": ("重置密码", "Reset password"),
    "role": ("角色", "Role"),
    "rule": ("规则", "Rule"),
    "scopes": ("范围", "Scopes"),
    "severity": ("级别", "Severity"),
    "since": ("开始", "From"),
    "source": ("来源", "Source"),
    "stage": ("阶段", "Stage"),
    "start": ("开始", "From"),
    "starts_at": ("开始", "From"),
    "state": ("状态", "State"),
    "status": ("状态", "Status"),
    "step": ("步骤", "Step"),
    "stop": ("结束", "Until"),
    "subject": ("对象", "Subject"),
    "target": ("接收方", "Receiver"),
    "tenant": ("租户", "Tenant"),
    "text": ("描述", "Description"),
    "title": ("标题", "Title"),
    "to": ("指派给", "Give it to"),
    "unit": ("处置单位", "Unit"),
    "until": ("结束", "Until"),
    "up_to": ("最高级别", "At most"),
    "why": ("原因", "Why"),
}

FORMATS: Mapping[str, tuple[str, str]] = {
    r"^[A-Za-z0-9_.-]{1,64}$": ("1 至 64 个字母、数字或 _ . -", "1 to 64 letters, digits or _ . -"),
    r"^[A-Za-z0-9_.:-]{1,64}$": ("1 至 64 个字母、数字或 _ . : -", "1 to 64 letters, digits or _ . : -"),
    r"^[!-~]{1,200}$": ("不含空格的英文编号", "an id without spaces"),
    "^(wgs84|cgcs2000|gcj02|bd09)$": ("wgs84、cgcs2000、gcj02 或 bd09", "wgs84, cgcs2000, gcj02 or bd09"),
    r"^[^\x00-\x1f\x7f]*$": ("不含控制字符的文字", "a text without control characters"),
}
"""The patterns of fields, in words."""


def label_of(place: tuple[str | int, ...], language: str) -> str:
    """What the field at a place (`("body", "note")`) is called; "" where it has no name of its own."""
    names = [part for part in place[1:] if isinstance(part, str) and part in LABELS]
    return LABELS[names[-1]][0 if language.startswith("zh") else 1] if names else ""
