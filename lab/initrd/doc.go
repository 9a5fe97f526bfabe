// Package initrd builds what the lab's machine boots from: an archive in the
// form that the kernel unpacks into its first file system, and the list of the
// kernel modules that go into it.
//
// It needs neither root nor other programs: the archive is written here, and
// what a module depends on is read from the module itself. So a kernel will do
// that was only unpacked from its package and never installed.
package initrd
