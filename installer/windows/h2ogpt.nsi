; The Windows installer: for one user, without administrator's rights, into the user's own folder.
;
; scripts/package/nsis.py writes a small script that defines what is said below and includes this file:
;   APP_VERSION, APP_VERSION_4, VARIANT   0.1.0, 0.1.0.0, standard or slim
;   OUTPUT_FILE, ICON_FILE, PICTURE_FILE, LICENCE_FILE
;   SIZE_KB                               of everything installed
;   MAX_FOLDER_LENGTH                     longest folder in which every file has a path that Windows opens
;   TARGET                                amd64-unicode, where this makensis has it
;   SIGN_COMMAND                          signs the file %1, where there is a certificate
; and the macros InstallFiles, RemoveFiles (each file by its name), RegisterTypes, UnregisterTypes.
;
; Exit codes: 0 done, 1 cancelled, 2 a file could not be written, 3 Windows is too old, 4 the program runs,
; 5 a newer version is installed, 6 the folder's name is too long, 7 the disk is full.

Unicode true
!ifdef TARGET
  Target "${TARGET}"
!endif

!include "LogicLib.nsh"
!include "FileFunc.nsh"
!include "WordFunc.nsh"
!include "WinMessages.nsh"
!include "x64.nsh"

!define APP_NAME "h2oGPT Desktop"
!define PUBLISHER "h2oGPT Desktop contributors"
!define WINDOW_EXE "h2ogpt-desktop.exe"
!define CONSOLE_EXE "h2ogpt.exe"
!define WORKER_EXE "h2ogpt-worker.exe"
!define UNINSTALLER "uninstall.exe"
!define APP_KEY "Software\h2oGPT Desktop"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\h2oGPT Desktop"
!define APP_PATHS_KEY "Software\Microsoft\Windows\CurrentVersion\App Paths"
!define DATA_FOLDER "$LOCALAPPDATA\h2ogpt-desktop"
!define OLDEST_BUILD 17763 ; Windows 10, version 1809
!define OLDEST_BUILD_ARM 22000 ; Windows 11; Windows 10 runs no x64 programs on ARM

Name "${APP_NAME}"
OutFile "${OUTPUT_FILE}"
InstallDir "$LOCALAPPDATA\Programs\h2oGPT Desktop"
InstallDirRegKey HKCU "${UNINSTALL_KEY}" "InstallLocation"
RequestExecutionLevel user
; Not solid: a solid installer first unpacks everything into TEMP (twice the space and the writing), and could
; not store models as they are. The libraries come out equally small (3,666 and 3,664 KB for Qt's largest).
SetCompressor lzma
SetCompressorDictSize 16
CRCCheck force
AllowSkipFiles off
BrandingText " "
ManifestDPIAware true
ManifestSupportedOS all
ManifestLongPathAware true

VIProductVersion "${APP_VERSION_4}"
VIAddVersionKey "ProductName" "${APP_NAME}"
VIAddVersionKey "ProductVersion" "${APP_VERSION}"
VIAddVersionKey "FileVersion" "${APP_VERSION}"
VIAddVersionKey "FileDescription" "${APP_NAME} installer (${VARIANT})"
VIAddVersionKey "CompanyName" "${PUBLISHER}"
VIAddVersionKey "LegalCopyright" "${PUBLISHER}"

!ifdef SIGN_COMMAND
  !uninstfinalize '${SIGN_COMMAND}' = 0
  !finalize '${SIGN_COMMAND}' = 0
!endif

; -------------------------------------------------------------------------------------------- pages
!include "MUI2.nsh"
!define MUI_ICON "${ICON_FILE}"
!define MUI_UNICON "${ICON_FILE}"
!define MUI_ABORTWARNING
!define MUI_COMPONENTSPAGE_SMALLDESC ; room for the whole names
!define MUI_WELCOMEFINISHPAGE_BITMAP "${PICTURE_FILE}"
!define MUI_WELCOMEPAGE_TEXT "This installs ${APP_NAME} ${APP_VERSION} for you alone; no administrator is needed.$\r$\n$\r$\nYour documents stay where they are, and nothing is sent anywhere."
!define MUI_LICENSEPAGE_BUTTON "$(^NextBtn)"
!define MUI_LICENSEPAGE_TEXT_BOTTOM "These are the terms of the program and of the parts it is made of."
!define MUI_FINISHPAGE_RUN "$INSTDIR\${WINDOW_EXE}"
!define MUI_FINISHPAGE_RUN_TEXT "Open ${APP_NAME}"
!define MUI_FINISHPAGE_NOREBOOTSUPPORT

!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_LICENSE "${LICENCE_FILE}"
!insertmacro MUI_PAGE_COMPONENTS
!define MUI_PAGE_CUSTOMFUNCTION_LEAVE CheckFolder
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; ------------------------------------------------------------------------------------------ functions
!include "user_path.nsh"
!insertmacro UserPathFunctions ""
!insertmacro UserPathFunctions "un."
!insertmacro AddToUserPathFunction

; Ends with a message (none where the installer runs silently) and an exit code.
!macro Refuse CODE TEXT
  MessageBox MB_OK|MB_ICONSTOP "${TEXT}" /SD IDOK
  SetErrorLevel ${CODE}
  Quit
!macroend
!define Refuse "!insertmacro Refuse"

; A program that runs cannot be opened for writing; the background programs end some seconds after the window.
!macro RequireClosedFunctions UN
Function ${UN}RequireClosed
  again:
  StrCpy $1 0
  ${Do}
    StrCpy $0 ""
    !insertmacro NoteIfRunning "${WINDOW_EXE}"
    !insertmacro NoteIfRunning "${CONSOLE_EXE}"
    !insertmacro NoteIfRunning "${WORKER_EXE}"
    ${If} $0 == ""
      Return
    ${EndIf}
    Sleep 500
    IntOp $1 $1 + 1
  ${LoopUntil} $1 > 9
  MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "${APP_NAME} is open ($0). Close its window, wait a moment, then choose Retry." /SD IDCANCEL IDRETRY again
  SetErrorLevel 4
  Quit
FunctionEnd
!macroend

!macro NoteIfRunning EXE
  ${If} ${FileExists} "$INSTDIR\${EXE}"
    ClearErrors
    FileOpen $2 "$INSTDIR\${EXE}" a
    ${If} ${Errors}
      StrCpy $0 "${EXE}"
    ${Else}
      FileClose $2
    ${EndIf}
  ${EndIf}
!macroend
!insertmacro RequireClosedFunctions ""
!insertmacro RequireClosedFunctions "un."

Function CheckWindows
  !if ${NSIS_PTR_SIZE} < 8
    SetRegView 64
  !endif
  ReadRegStr $0 HKLM "SOFTWARE\Microsoft\Windows NT\CurrentVersion" "CurrentBuildNumber"
  StrCpy $1 ${OLDEST_BUILD}
  ${If} ${IsNativeARM64}
    StrCpy $1 ${OLDEST_BUILD_ARM}
  ${EndIf}
  ${If} $0 < $1
    ${Refuse} 3 "${APP_NAME} needs Windows 10, version 1809, or later (on an ARM processor Windows 11). This is build $0 of Windows; $1 or later is needed. Nothing was installed."
  ${EndIf}
  ${IfNot} ${RunningX64}
    ${Refuse} 3 "${APP_NAME} needs a 64-bit Windows. Nothing was installed."
  ${EndIf}
FunctionEnd

; Someone who goes back to an older version is asked; a silent installation needs /ALLOWDOWNGRADE.
Function CheckDowngrade
  ReadRegStr $0 HKCU "${UNINSTALL_KEY}" "DisplayVersion"
  ${If} $0 == ""
    Return
  ${EndIf}
  ${VersionCompare} "$0" "${APP_VERSION}" $1
  ${If} $1 <> 1
    Return
  ${EndIf}
  ${GetParameters} $2
  ClearErrors
  ${GetOptions} $2 "/ALLOWDOWNGRADE" $3
  ${IfNot} ${Errors}
    Return
  ${EndIf}
  MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "Version $0 is installed, which is newer than this one (${APP_VERSION}). The older version may refuse to open the newer one's data; it changes nothing then. Install the older version all the same?" /SD IDNO IDYES go_on
  SetErrorLevel 5
  Quit
  go_on:
FunctionEnd

Function CheckFolder
  StrLen $0 "$INSTDIR"
  ${If} $0 > ${MAX_FOLDER_LENGTH}
    MessageBox MB_OK|MB_ICONEXCLAMATION "The folder's name is too long: Windows could not open all files in it. Choose one of at most ${MAX_FOLDER_LENGTH} characters (this one has $0)." /SD IDOK
    SetErrorLevel 6
    IfSilent 0 +2
    Quit
    Abort ; stay on the page
  ${EndIf}
FunctionEnd

; What an earlier version takes in the same place becomes free.
Function CheckSpace
  CreateDirectory "$INSTDIR"
  System::Call 'kernel32::GetDiskFreeSpaceExW(w "$INSTDIR", *l .r0, p 0, p 0) i .r1'
  ${If} $1 = 0
    Return ; unknown; writing will tell
  ${EndIf}
  StrCpy $2 0
  ReadRegStr $3 HKCU "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $3 == "$INSTDIR"
    ReadRegDWORD $2 HKCU "${UNINSTALL_KEY}" "EstimatedSize"
  ${EndIf}
  IntOp $2 ${SIZE_KB} - $2
  System::Int64Op $0 / 1024
  Pop $0
  System::Int64Op $0 < $2
  Pop $1
  ${If} $1 <> 0
    System::Int64Op $2 / 1024
    Pop $2
    RMDir "$INSTDIR" ; only if it is empty
    ${Refuse} 7 "The disk is too full: $2 MB more are needed for $INSTDIR. Nothing was changed."
  ${EndIf}
FunctionEnd

; The earlier version's own uninstaller knows its files; it leaves settings, shortcuts and data alone.
Function RemoveEarlierVersion
  ReadRegStr $3 HKCU "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $3 == ""
  ${OrIfNot} ${FileExists} "$3\${UNINSTALLER}"
    Return
  ${EndIf}
  DetailPrint "Removing the earlier version's files"
  ClearErrors
  ExecWait '"$3\${UNINSTALLER}" /S /UPGRADE _?=$3' $4
  ${If} ${Errors}
  ${OrIf} $4 <> 0
    ${If} $4 == ""
      StrCpy $4 2
    ${EndIf}
    ${Refuse} $4 "The earlier version in $3 could not be removed (code $4). Close the program and try again."
  ${EndIf}
  ${If} $3 != "$INSTDIR"
    Delete "$3\${UNINSTALLER}"
    RMDir "$3"
  ${EndIf}
FunctionEnd

; ------------------------------------------------------------------------------------------- sections
!macro RememberChoice NAME SECTION
  SectionGetFlags ${SECTION} $0
  IntOp $0 $0 & 1 ; SF_SELECTED
  WriteRegDWORD HKCU "${APP_KEY}" "Choice${NAME}" $0
!macroend

!macro TellTheShell
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)' ; SHCNE_ASSOCCHANGED
!macroend

Section "${APP_NAME}" MainSection
  SectionIn RO
  Call CheckFolder
  Call RequireClosed
  Call CheckSpace
  Call RemoveEarlierVersion
  !insertmacro InstallFiles
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\${UNINSTALLER}"
  CreateShortcut /NoWorkingDir "$SMPROGRAMS\${APP_NAME}.lnk" "$INSTDIR\${WINDOW_EXE}" "" "$INSTDIR\${WINDOW_EXE}" 0 SW_SHOWNORMAL "" "Private answers from your own documents"
  WriteRegStr HKCU "${APP_PATHS_KEY}\${WINDOW_EXE}" "" "$INSTDIR\${WINDOW_EXE}"
  WriteRegStr HKCU "${APP_PATHS_KEY}\${CONSOLE_EXE}" "" "$INSTDIR\${CONSOLE_EXE}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayName" "${APP_NAME}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayVersion" "${APP_VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\${WINDOW_EXE},0"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "Comments" "Variant: ${VARIANT}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\${UNINSTALLER}"'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\${UNINSTALLER}" /S'
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoRepair" 1
SectionEnd

Section "Offer in $\"Open with$\"" OpenWithSection
  !insertmacro RegisterTypes
SectionEnd

Section /o "Shortcut on the desktop" DesktopSection
  CreateShortcut /NoWorkingDir "$DESKTOP\${APP_NAME}.lnk" "$INSTDIR\${WINDOW_EXE}" "" "$INSTDIR\${WINDOW_EXE}" 0
SectionEnd

Section /o "Command h2ogpt in terminals (PATH)" PathSection
  ReadRegStr $9 HKCU "${APP_KEY}" "PathEntry"
  ${If} $9 != ""
  ${AndIf} $9 != "$INSTDIR"
    Call RemoveFromUserPath
  ${EndIf}
  StrCpy $9 "$INSTDIR"
  Call AddToUserPath
  WriteRegStr HKCU "${APP_KEY}" "PathEntry" "$INSTDIR"
SectionEnd

; Remembers the choices for the next version and takes back what is no longer chosen.
Section "-choices"
  !insertmacro RememberChoice "OpenWith" ${OpenWithSection}
  ${If} $0 = 0
    !insertmacro UnregisterTypes
  ${EndIf}
  !insertmacro RememberChoice "Desktop" ${DesktopSection}
  ${If} $0 = 0
    Delete "$DESKTOP\${APP_NAME}.lnk"
  ${EndIf}
  !insertmacro RememberChoice "Path" ${PathSection}
  ReadRegStr $9 HKCU "${APP_KEY}" "PathEntry"
  ${If} $0 = 0
  ${AndIf} $9 != ""
    Call RemoveFromUserPath
    DeleteRegValue HKCU "${APP_KEY}" "PathEntry"
  ${EndIf}
  !insertmacro TellTheShell
SectionEnd

; A choice comes from the command line (/DESKTOP=1), else from the last installation, else from the section.
!macro ReadChoice NAME OPTION SECTION
  ClearErrors
  ${GetOptions} $9 "/${OPTION}=" $0
  ${If} ${Errors}
    ReadRegDWORD $0 HKCU "${APP_KEY}" "Choice${NAME}"
  ${EndIf}
  ${If} $0 != ""
    SectionGetFlags ${SECTION} $1
    IntOp $1 $1 & 0xFFFFFFFE
    ${If} $0 = 1
      IntOp $1 $1 | 1
    ${EndIf}
    SectionSetFlags ${SECTION} $1
  ${EndIf}
!macroend

Function .onInit
  Call CheckWindows
  Call CheckDowngrade
  ${GetParameters} $9
  !insertmacro ReadChoice "OpenWith" "OPENWITH" ${OpenWithSection}
  !insertmacro ReadChoice "Desktop" "DESKTOP" ${DesktopSection}
  !insertmacro ReadChoice "Path" "ADDPATH" ${PathSection}
FunctionEnd

LangString MainText ${LANG_ENGLISH} "The program, its uninstaller and a shortcut in the Start menu."
LangString OpenWithText ${LANG_ENGLISH} "Lists the program under $\"Open with$\" for documents. The programs that open them now stay as they are."
LangString DesktopText ${LANG_ENGLISH} "A second shortcut, on the desktop."
LangString PathText ${LANG_ENGLISH} "Adds the program's folder to your PATH, so that h2ogpt works in new terminals."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${MainSection} $(MainText)
  !insertmacro MUI_DESCRIPTION_TEXT ${OpenWithSection} $(OpenWithText)
  !insertmacro MUI_DESCRIPTION_TEXT ${DesktopSection} $(DesktopText)
  !insertmacro MUI_DESCRIPTION_TEXT ${PathSection} $(PathText)
!insertmacro MUI_FUNCTION_DESCRIPTION_END

!include "uninstall.nsh"
