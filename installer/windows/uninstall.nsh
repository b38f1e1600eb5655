; The uninstaller: what the list of files names, the shortcuts, the registry's keys, and the data if it is wanted.
; Included by h2ogpt.nsi, whose constants and macros it uses.

; An uninstaller that was copied elsewhere and is not told where the program is would work on that other folder.
Function un.onInit
  ${IfNot} ${FileExists} "$INSTDIR\${UNINSTALLER}"
    ${Refuse} 2 "There is no ${APP_NAME} in $INSTDIR. Start the uninstaller from the program's own folder."
  ${EndIf}
FunctionEnd

; Removes the folder $0 with all that is in it; a link to another folder is removed, what it leads to stays.
Function un.RemoveTree
  Push $1
  Push $2
  Push $3
  FindFirst $1 $2 "$0\*"
  ${DoUntil} $2 == ""
    ${If} $2 != "."
    ${AndIf} $2 != ".."
      System::Call 'kernel32::GetFileAttributesW(w "$0\$2") i .r3'
      IntOp $3 $3 & 0x410 ; FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY
      ${If} $3 = 0x10
        Push $0
        StrCpy $0 "$0\$2"
        Call un.RemoveTree
        Pop $0
      ${ElseIf} $3 = 0x410
        RMDir "$0\$2"
      ${Else}
        Delete "$0\$2"
      ${EndIf}
    ${EndIf}
    FindNext $1 $2
  ${Loop}
  FindClose $1
  RMDir "$0"
  Pop $3
  Pop $2
  Pop $1
FunctionEnd

Function un.RemoveSettings
  Delete "$SMPROGRAMS\${APP_NAME}.lnk"
  Delete "$DESKTOP\${APP_NAME}.lnk"
  ReadRegStr $9 HKCU "${APP_KEY}" "PathEntry"
  ${If} $9 != ""
    Call un.RemoveFromUserPath
  ${EndIf}
  !insertmacro UnregisterTypes
  !insertmacro TellTheShell
  DeleteRegKey HKCU "${APP_PATHS_KEY}\${WINDOW_EXE}"
  DeleteRegKey HKCU "${APP_PATHS_KEY}\${CONSOLE_EXE}"
  DeleteRegKey HKCU "${UNINSTALL_KEY}"
  DeleteRegKey HKCU "${APP_KEY}"
FunctionEnd

; Asked, with No as the default; a silent uninstallation keeps the data unless it is told /REMOVEDATA.
Function un.OfferDataRemoval
  ${IfNot} ${FileExists} "${DATA_FOLDER}\*"
    Return
  ${EndIf}
  ${GetParameters} $2
  ClearErrors
  ${GetOptions} $2 "/REMOVEDATA" $3
  ${IfNot} ${Errors}
    Goto remove
  ${EndIf}
  MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "Remove your library, chats, settings and downloaded models, too?$\r$\n$\r$\n${DATA_FOLDER}$\r$\n$\r$\nThis cannot be undone. The documents themselves stay where they are." /SD IDNO IDYES remove
  Return
  remove:
  StrCpy $0 "${DATA_FOLDER}"
  Call un.RemoveTree
FunctionEnd

Section "Uninstall"
  Call un.RequireClosed
  SetOutPath "$TEMP" ; a folder that is the current one cannot be removed
  !insertmacro RemoveFiles
  ${GetParameters} $2
  ClearErrors
  ${GetOptions} $2 "/UPGRADE" $3
  ${IfNot} ${Errors}
    Return
  ${EndIf}
  Delete "$INSTDIR\${UNINSTALLER}"
  RMDir "$INSTDIR"
  Call un.RemoveSettings
  Call un.OfferDataRemoval
SectionEnd
