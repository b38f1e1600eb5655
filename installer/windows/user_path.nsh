; The user's PATH, read and written whole.
;
; NSIS holds at most 1,024 characters in a variable, so its own registry commands would cut a long PATH.
; These functions keep the value in memory of their own, keep its type (REG_EXPAND_SZ or REG_SZ), and write
; nothing at all where anything is unclear.

!define PATH_HKCU "p -2147483647" ; HKEY_CURRENT_USER, with the sign that 64-bit Windows extends
!define PATH_READ_WRITE 0x3 ; KEY_QUERY_VALUE | KEY_SET_VALUE
!define PATH_MAX_BYTES 60000 ; an environment variable holds at most 32,767 characters

!macro UserPathFunctions UN

; Opens HKCU\Environment and reads Path.
; Out: $1 the key, $2 the value's type, $3 its size in bytes,
;      $4 memory with ";" and the value, and room for ";", one more entry and ";".
; The error flag is set where the value cannot be used; then nothing is left open.
Function ${UN}ReadUserPath
  ClearErrors
  StrCpy $4 0
  System::Call 'advapi32::RegOpenKeyExW(${PATH_HKCU}, w "Environment", i 0, i ${PATH_READ_WRITE}, *p .r1) i .r0'
  ${If} $0 <> 0
    SetErrors
    Return
  ${EndIf}
  StrCpy $2 2 ; REG_EXPAND_SZ, for a PATH that is not there yet
  StrCpy $3 0
  System::Call 'advapi32::RegQueryValueExW(p r1, w "Path", p 0, *i .r2, p 0, *i .r3) i .r0'
  ${If} $0 = 2 ; there is none
    StrCpy $2 2
    StrCpy $3 0
  ${ElseIf} $0 <> 0
  ${OrIf} $3 > ${PATH_MAX_BYTES}
    Goto unusable
  ${ElseIf} $2 <> 1
  ${AndIf} $2 <> 2
    Goto unusable
  ${EndIf}
  IntOp $5 $3 + 4096
  System::Call 'kernel32::GlobalAlloc(i 0x40, p r5) p .r4' ; zeroed
  ${If} $4 == 0
    Goto unusable
  ${EndIf}
  System::Call 'kernel32::lstrcpyW(p r4, w ";")'
  ${If} $3 > 0
    IntPtrOp $5 $4 + 2
    System::Call 'advapi32::RegQueryValueExW(p r1, w "Path", p 0, p 0, p r5, *i r3) i .r0'
    ${If} $0 <> 0
      Goto unusable
    ${EndIf}
  ${EndIf}
  Return
  unusable:
  Call ${UN}CloseUserPath
  SetErrors
FunctionEnd

Function ${UN}CloseUserPath
  ${If} $4 != 0
    System::Call 'kernel32::GlobalFree(p r4)'
  ${EndIf}
  System::Call 'advapi32::RegCloseKey(p r1)'
FunctionEnd

; Writes the text at $5 as Path and tells the running programs.
Function ${UN}WriteUserPath
  System::Call 'kernel32::lstrlenW(p r5) i .r6'
  IntOp $6 $6 + 1
  IntOp $6 $6 * 2
  System::Call 'advapi32::RegSetValueExW(p r1, w "Path", i 0, i r2, p r5, i r6) i .r0'
  ${If} $0 <> 0
    SetErrors
  ${Else}
    SendMessage ${HWND_BROADCAST} ${WM_SETTINGCHANGE} 0 "STR:Environment" /TIMEOUT=2000
  ${EndIf}
FunctionEnd

; Takes the entry in $9 out of the user's PATH, wherever it stands.
Function ${UN}RemoveFromUserPath
  Call ${UN}ReadUserPath
  ${If} ${Errors}
    Return
  ${EndIf}
  System::Call 'kernel32::lstrcatW(p r4, w ";")' ; now each entry has one on both sides
  StrCpy $0 ";$9;"
  System::Call 'shlwapi::StrStrIW(p r4, w r0) p .r7'
  ${If} $7 != 0
    StrLen $6 ";$9"
    IntOp $6 $6 * 2
    IntPtrOp $8 $7 + $6
    System::Call 'kernel32::lstrlenW(p r8) i .r6'
    IntOp $6 $6 + 1
    IntOp $6 $6 * 2
    System::Call 'kernel32::RtlMoveMemory(p r7, p r8, p r6)'
    Call ${UN}TrimUserPath
    Call ${UN}WriteUserPath
  ${EndIf}
  Call ${UN}CloseUserPath
FunctionEnd

; Takes the ";" at both ends of the text at $4 off again; the rest stands at $5.
Function ${UN}TrimUserPath
  System::Call 'kernel32::lstrlenW(p r4) i .r6'
  IntPtrOp $5 $4 + 2
  ${If} $6 < 2 ; nothing but one ";"
    Return
  ${EndIf}
  IntOp $6 $6 - 1
  IntOp $6 $6 * 2
  IntPtrOp $8 $4 + $6
  System::Call '*$8(&i2 0)'
FunctionEnd

!macroend

; Puts the entry in $9 at the end of the user's PATH, unless it is there.
!macro AddToUserPathFunction
Function AddToUserPath
  Call ReadUserPath
  ${If} ${Errors}
    DetailPrint "The user's PATH could not be read; it stays as it is."
    Return
  ${EndIf}
  System::Call 'kernel32::lstrcatW(p r4, w ";")'
  StrCpy $0 ";$9;"
  System::Call 'shlwapi::StrStrIW(p r4, w r0) p .r7'
  ${If} $7 == 0
    System::Call 'kernel32::lstrlenW(p r4) i .r6'
    ${If} $6 = 2 ; ";;": there was none, or an empty one
      System::Call 'kernel32::lstrcpyW(p r4, w ";")'
    ${EndIf}
    System::Call 'kernel32::lstrcatW(p r4, w r9)'
    IntPtrOp $5 $4 + 2
    Call WriteUserPath
  ${EndIf}
  Call CloseUserPath
FunctionEnd
!macroend
