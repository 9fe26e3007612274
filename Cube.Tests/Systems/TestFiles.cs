namespace Cube.Tests.Systems;

/// <summary>Locates servers, models and recordings in folders next to the project.</summary>
internal static class TestFiles
{
    /// <summary>The folder of <c>Cube.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <returns>The folder that the variable names, by default one in <c>../shared</c>; skips the test if it does not exist.</returns>
    public static string FolderOrSkip(string variable, string usual)
    {
        var folder = Folder(variable, usual);
        Assert.SkipUnless(Directory.Exists(folder), $"{folder} does not exist. {variable} can name another folder.");
        return folder;
    }

    /// <returns>The same folder, which may not exist.</returns>
    public static string Folder(string variable, string usual) =>
        Path.GetFullPath(Environment.GetEnvironmentVariable(variable) is { Length: > 0 } given ? given : Path.Combine(Root, "..", "shared", usual));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Cube.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("Cube.sln is not above the tests.");
    }
}
