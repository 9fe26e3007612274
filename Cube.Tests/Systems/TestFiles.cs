namespace Cube.Tests.Systems;

/// <summary>Servers, models and recordings beside the project, where they are.</summary>
internal static class TestFiles
{
    /// <summary>The folder of <c>Cube.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <returns>The folder that the variable names, else the one in <c>../shared</c>; skips the test where there is neither.</returns>
    public static string FolderOrSkip(string variable, string usual)
    {
        var folder = Folder(variable, usual);
        Assert.SkipUnless(Directory.Exists(folder), $"{folder} is not here; {variable} can name another.");
        return folder;
    }

    /// <returns>The same, whether or not it is there.</returns>
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
